"""What a profile means: the contract between the front end (dsl) and the back end (runtime)."""
