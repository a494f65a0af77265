"""What X said, put down in the journal as it comes in, and taken up again at a start."""
