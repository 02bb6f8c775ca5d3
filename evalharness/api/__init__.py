"""What the command line and notebooks call: whole jobs, composed from the layers below."""
