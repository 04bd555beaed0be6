"""From register to disk: what each level of a machine holds, how fast it moves bytes, what that costs, and how each level grew."""
