"""Every reader against files that mean harm: `make fuzz SECONDS=60`, and the kept corpus in the quick tests."""
