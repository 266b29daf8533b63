"""What staff install beside `gradlab`: everything that releases, grades, reports and audits."""
