"""What must survive a crash: the database behind repositories."""
