"""What checks the engines: published and measured cases beside what is predicted for each, and the closed forms of papers and other tools."""
