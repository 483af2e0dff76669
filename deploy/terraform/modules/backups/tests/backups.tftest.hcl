mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
  }
}

variables {
  name         = "items-prod"
  database_arn = "arn:aws:rds:us-east-1:123456789012:db:items-prod-database"
}

run "a_week_of_backups_encrypted_with_a_key_of_the_region" {
  command = apply

  assert {
    condition = (
      aws_db_instance_automated_backups_replication.main.retention_period == 7 &&
      aws_db_instance_automated_backups_replication.main.source_db_instance_arn == var.database_arn &&
      aws_db_instance_automated_backups_replication.main.kms_key_id == aws_kms_key.main.arn
    )
    error_message = "Seven days, under the region's own key."
  }
}

run "no_days_are_refused" {
  command         = plan
  expect_failures = [var.days]

  variables {
    days = 0
  }
}
