"""The engine of workflows: what documents say, and how runs go on."""
