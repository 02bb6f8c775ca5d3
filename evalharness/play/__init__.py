"""Playing scripted users against a system under test: scenarios in, dialogues out."""
