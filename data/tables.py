"""Every table in one import, for migrations and tests."""

from sqlmodel import SQLModel

from data import messages, operations, people, sending

METADATA = SQLModel.metadata
MODULES = (messages, operations, people, sending)
