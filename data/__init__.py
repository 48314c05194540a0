"""The shape of what is stored: tables, columns, enumerations, migrations. Imports nothing of ours."""
