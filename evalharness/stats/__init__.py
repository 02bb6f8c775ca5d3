"""Statistics on plain numpy arrays; nothing here knows of dialogues, judges or files.

Each module holds one subject and is imported by its own name (``from evalharness.stats import kappa``).
"""
