"""What several tests share: fakes, processes, a browser."""
