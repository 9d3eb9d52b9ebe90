"""Reading one unit of work page by page and storing its rows, exactly once, whatever happens."""
