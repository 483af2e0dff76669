mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/items-prod-database-monitoring" }
  }
}

variables {
  name              = "items-prod"
  subnet_ids        = ["subnet-1", "subnet-2", "subnet-3"]
  security_group_id = "sg-1"
  kms_key_arn       = "arn:aws:kms:us-east-1:123456789012:key/1"
  instance_class    = "db.t3.medium"
  multi_az          = true
  backup_days       = 30
}

run "postgresql_15_encrypted_with_a_standby_and_backups" {
  command = plan

  assert {
    condition     = aws_db_instance.main.engine == "postgres" && aws_db_instance.main.engine_version == "15" && aws_db_instance.main.port == 5432
    error_message = "PostgreSQL 15 on 5432."
  }
  assert {
    condition     = aws_db_instance.main.multi_az && aws_db_instance.main.backup_retention_period == 30
    error_message = "A standby, and 30 days of backups."
  }
  assert {
    condition     = aws_db_instance.main.storage_encrypted && aws_db_instance.main.kms_key_id == var.kms_key_arn
    error_message = "Storage is encrypted with the environment's key."
  }
  assert {
    condition     = aws_db_instance.main.deletion_protection && !aws_db_instance.main.skip_final_snapshot && aws_db_instance.main.copy_tags_to_snapshot
    error_message = "Deleting is refused, and would leave a last snapshot."
  }
  assert {
    condition     = !aws_db_instance.main.apply_immediately
    error_message = "A change that interrupts waits for the maintenance window."
  }
  assert {
    condition     = toset([for one in aws_cloudwatch_log_group.main : one.name]) == toset([for log in aws_db_instance.main.enabled_cloudwatch_logs_exports : "/aws/rds/instance/items-prod-database/${log}"])
    error_message = "Every log that RDS exports has a group with a retention time and the key."
  }
  assert {
    condition = (
      aws_db_instance.main.performance_insights_enabled && aws_db_instance.main.performance_insights_retention_period == 7 &&
      aws_db_instance.main.performance_insights_kms_key_id == var.kms_key_arn && aws_db_instance.main.monitoring_interval == 60
    )
    error_message = "Performance Insights for 7 days, encrypted; enhanced monitoring every minute."
  }
  assert {
    condition     = !aws_db_instance.main.publicly_accessible && length(aws_db_subnet_group.main.subnet_ids) == 3
    error_message = "The database stands in its tier, without a public address."
  }
  assert {
    condition     = aws_db_instance.main.allocated_storage == 20 && aws_db_instance.main.max_allocated_storage == 100 && aws_db_instance.main.storage_type == "gp3"
    error_message = "20 GiB of gp3, growing to 100."
  }
}

run "a_change_is_made_at_once_where_that_is_wanted" {
  command = plan

  variables {
    apply_immediately = true
  }

  assert {
    condition     = aws_db_instance.main.apply_immediately
    error_message = "Now, with its interruption."
  }
}

run "the_last_snapshot_has_a_name" {
  command = apply

  assert {
    condition     = can(regex("^items-prod-database-final-[0-9]{14}$", aws_db_instance.main.final_snapshot_identifier))
    error_message = "It has the time of the creation."
  }
}

run "the_name_stays" {
  command = plan

  assert {
    condition     = aws_db_instance.main.final_snapshot_identifier == run.the_last_snapshot_has_a_name.final_snapshot
    error_message = "A later plan does not change it."
  }
}

run "the_password_is_made_and_rotated_by_rds" {
  command = plan

  assert {
    condition     = aws_db_instance.main.manage_master_user_password && aws_db_instance.main.master_user_secret_kms_key_id == var.kms_key_arn
    error_message = "RDS keeps the password, under the environment's key."
  }
  assert {
    condition     = aws_db_instance.main.password == null && aws_db_instance.main.password_wo == null
    error_message = "No password is given, so none can be in the state."
  }
}

run "tls_is_forced_and_max_connections_stated" {
  command = plan

  assert {
    condition     = aws_db_parameter_group.main.family == "postgres15"
    error_message = "Parameters of PostgreSQL 15."
  }
  assert {
    condition     = { for one in aws_db_parameter_group.main.parameter : one.name => one.value }["rds.force_ssl"] == "1"
    error_message = "Connections without TLS are refused."
  }
  assert {
    condition = (
      { for one in aws_db_parameter_group.main.parameter : one.name => one.value }["max_connections"] == "360" &&
      output.max_connections == 360 && output.service_connections == 350
    )
    error_message = "db.t3.medium has 4 GiB: 360 sessions, 10 of them not for the service."
  }
}

run "one_gibibyte_has_90_sessions" {
  command = plan

  variables {
    instance_class = "db.t3.micro"
    multi_az       = false
    backup_days    = 1
  }

  assert {
    condition     = output.max_connections == 90 && output.service_connections == 80
    error_message = "db.t3.micro has 1 GiB: 90 sessions."
  }
  assert {
    condition     = !aws_db_instance.main.multi_az && aws_db_instance.main.backup_retention_period == 1
    error_message = "No standby, one day of backups."
  }
}

run "postgresql_16_with_other_windows" {
  command = plan

  variables {
    engine_version = "16.3"
    instance_class = "db.t4g.micro"
    windows        = { backup = "03:00-04:00", maintenance = "mon:04:00-mon:05:00" }
    storage        = { initial = 20, limit = 50 }
  }

  assert {
    condition     = aws_db_instance.main.engine_version == "16.3" && aws_db_parameter_group.main.family == "postgres16"
    error_message = "The family follows the major version."
  }
  assert {
    condition     = aws_db_instance.main.backup_window == "03:00-04:00" && aws_db_instance.main.maintenance_window == "mon:04:00-mon:05:00"
    error_message = "The windows are the given ones."
  }
  assert {
    condition     = aws_db_instance.main.allocated_storage == 20 && aws_db_instance.main.max_allocated_storage == 50
    error_message = "20 GiB, growing to 50."
  }
  assert {
    condition     = aws_db_instance.main.allow_major_version_upgrade == null
    error_message = "A major version is not changed by accident."
  }
}

run "an_unknown_version_and_unreadable_windows_are_refused" {
  command         = plan
  expect_failures = [var.engine_version, var.windows]

  variables {
    engine_version = "14"
    windows        = { backup = "at night" }
  }
}

run "an_unknown_class_and_no_backups_and_storage_below_the_alarm_are_refused" {
  command         = plan
  expect_failures = [var.instance_class, var.backup_days, var.storage]

  variables {
    instance_class = "db.z9.mini"
    backup_days    = 0
    storage        = { initial = 10, limit = 100 }
  }
}
