"""Questions asked of decision tables: what a profile really does, without an instance at hand."""
