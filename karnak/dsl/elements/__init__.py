"""The types of profile elements: what each needs, takes and means. One family, one file."""
