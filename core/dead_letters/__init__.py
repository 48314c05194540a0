"""What a person does about messages that are out of attempts."""
