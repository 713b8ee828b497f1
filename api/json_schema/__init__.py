"""JSON Schema: the dialect of agents' schemas, its formats, and violations of a schema."""
