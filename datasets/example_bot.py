"""A toy bot that speaks the protocol of `evalharness run --target 'python example_bot.py'`: a line in, a line out."""

import json
import sys

for line in sys.stdin:
    said = json.loads(line)["messages"][-1]["content"].lower()
    if "when" in said:
        reply = "It will be with you on Thursday."
    elif "parcel" in said:
        reply = "Your parcel is at the depot in Lyon."
    else:
        reply = "Thank you. A colleague will write to you today."
    sys.stdout.write(json.dumps({"content": reply}) + "\n")
    sys.stdout.flush()
