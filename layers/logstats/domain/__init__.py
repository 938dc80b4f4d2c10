"""Lines, histograms, summaries and batches of them: no cloud, no database, no dataflow engine."""
