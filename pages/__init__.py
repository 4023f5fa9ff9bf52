"""What a person looks at: `report` writes one page about runs, `review` serves one to judge items."""
