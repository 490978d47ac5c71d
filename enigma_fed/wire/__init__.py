"""Every format on a wire or a disk: bytes to and from frozen typed values."""
