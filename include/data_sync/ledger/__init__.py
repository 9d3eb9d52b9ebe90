"""What happened: logs (one per run and account), steps (one per work unit), and how they settle."""
