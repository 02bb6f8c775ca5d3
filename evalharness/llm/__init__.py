"""The provider boundary: one file per back-end, each the only importer of its library."""
