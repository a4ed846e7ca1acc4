"""Generators and checks that are commands of their own."""
