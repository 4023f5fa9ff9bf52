"""What a person looks at: `report` is one page about runs, `review` a page to judge items on."""
