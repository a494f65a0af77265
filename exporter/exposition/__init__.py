"""What /metrics says: sample lines kept compressed, joined into a page on the way out."""
