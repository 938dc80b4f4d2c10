"""Write answers: fields, forms, pages and validators, kept in memory while the database says that they are right."""
