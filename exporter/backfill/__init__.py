"""Hours of the past, asked of X once: sliced, kept as they come in, and handed on at their own times."""
