"""What a person must see: raised by what goes wrong, resolved when it is right again."""
