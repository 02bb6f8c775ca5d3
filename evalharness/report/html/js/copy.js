// Copying: a link to a place, or a dialogue with its scores as JSON.

const copyText = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "hidden", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
};

const copyLink = async (id, turn, announce) => {
  const done = await copyText(location.href.split("#")[0] + placeAddress(id, turn));
  announce(done ? "Link copied" : "The browser did not allow copying");
};

const copyRecord = async (run, dialogue, record, announce) => {
  const done = await copyText(
    JSON.stringify({ dialogue: record.dialogue, outcomes: outcomesOf(run, dialogue, record) }, null, 2),
  );
  announce(done ? "JSON copied" : "The browser did not allow copying");
};

/** The outcomes of a dialogue with the field names of scores.jsonl. */
const outcomesOf = (run, dialogue, record) => {
  const found = [];
  for (let item = dialogue.first; item < dialogue.end; item += 1)
    run.columns.forEach((column, c) => {
      const status = run.status[c][item];
      if (status !== NONE)
        found.push(outcomeOf(run, column, c, item, status, record.facts.get(`${item}/${c}`)));
    });
  return found;
};

const outcomeOf = (run, column, c, item, status, facts = {}) => {
  const turn = run.itemTurn[item];
  const why = run.why[c][item];
  return {
    turn: turn === WHOLE ? null : turn,
    scorer: column.scorer,
    rubric: column.rubric || null,
    criterion: column.criterion,
    status: ["", "scored", "failed", "skipped"][status],
    value: status !== SCORED ? null : column.nominal ? column.levels[why] : run.values[c][item],
    cause: status === FAILED ? run.causes[why] : status === SKIPPED ? run.reasons[why] : null,
    ...facts,
    signature: column.signature,
  };
};
