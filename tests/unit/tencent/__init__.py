"""Tests of tencent."""
