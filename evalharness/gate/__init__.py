"""A run against a baseline and a policy: pass, fail, or not decidable. Pure."""
