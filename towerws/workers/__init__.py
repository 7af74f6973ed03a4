"""``--workers N``: several serving processes behind one supervisor."""
