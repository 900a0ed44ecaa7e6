"""`tf.data`: pipelines of rows and batches."""
