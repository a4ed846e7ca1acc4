"""Operations from the request to the ending: admission, approval, sending, verification."""
