# In the region of the provider that the module is given. Only prod needs it, against the loss of a region.
resource "aws_kms_key" "main" {
  #checkov:skip=CKV2_AWS_64:the default policy lets the account's IAM policies control the key, which is intended
  description             = "Backups of ${var.name} from another region"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

# RDS copies snapshots and write-ahead logs as it makes them: a database can be restored here to a point in time. It gets a secret
# of its own, since the source's belongs to RDS in its region.
resource "aws_db_instance_automated_backups_replication" "main" {
  source_db_instance_arn = var.database_arn
  kms_key_id             = aws_kms_key.main.arn
  retention_period       = var.days
}
