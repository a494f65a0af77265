"""The status page and its JSON: what is watched, how it fares, and what to do about it."""
