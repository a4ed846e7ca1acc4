"""The client for Tencent Cloud's API 3.0 and its TC3-HMAC-SHA256 signature."""
