data "aws_partition" "current" {}

locals {
  id = "${var.name}-database"

  # GiB.
  memory = {
    "db.t3.micro"  = 1, "db.t3.small" = 2, "db.t3.medium" = 4, "db.t3.large" = 8,
    "db.t4g.micro" = 1, "db.t4g.small" = 2, "db.t4g.medium" = 4, "db.t4g.large" = 8,
    "db.m6g.large" = 8, "db.m6g.xlarge" = 16, "db.m6g.2xlarge" = 32,
    "db.m6i.large" = 8, "db.m6i.xlarge" = 16, "db.m6i.2xlarge" = 32,
    "db.r6g.large" = 16, "db.r6g.xlarge" = 32, "db.r6g.2xlarge" = 64,
  }

  # RDS's default is LEAST(memory / 9531392, 5000), for an unpublished amount of memory: a part goes to the
  # system and RDS's processes. On t3.micro four fifths remain. The parameter group sets the result,
  # so that the number that the instances are checked against is the number of the server.
  max_connections = min(5000, floor(local.memory[var.instance_class] * 1073741824 * 0.8 / 9531392))

  major = split(".", var.engine_version)[0]

  logs = toset(["postgresql", "upgrade"])

  # Superusers (3), RDS's sessions, a manual migration and a manual session.
  reserved_connections = 10
}

resource "aws_db_subnet_group" "main" {
  name       = local.id
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "main" {
  name_prefix = "${local.id}-"
  family      = "postgres${local.major}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name         = "max_connections"
    value        = tostring(local.max_connections)
    apply_method = "pending-reboot"
  }

  # Logs statements that change the schema, and slow ones. Logging all would put users' data into the log.
  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role" "monitoring" {
  name = "${local.id}-monitoring"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

# Created before RDS would create them without a retention time and without the key.
resource "aws_cloudwatch_log_group" "main" {
  #checkov:skip=CKV_AWS_338:the server's log is only needed to investigate the last weeks
  for_each = local.logs

  name              = "/aws/rds/instance/${local.id}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

# The time of the first plan keeps the final snapshots of successive databases apart. It is a separate resource because an
# imported database, such as a restored one, would otherwise have no name for its final snapshot and could not be destroyed.
resource "terraform_data" "created" {
  input = formatdate("YYYYMMDDhhmmss", plantimestamp())

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_db_instance" "main" {
  #checkov:skip=CKV_AWS_161:the service logs in with the rotated secret; a token would need a new connection path
  #checkov:skip=CKV_AWS_157:dev and test have no standby, prod has
  #checkov:skip=CKV_AWS_293:dev may be deleted; test and prod are protected
  identifier     = local.id
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class
  db_name        = "items"
  port           = var.port

  # RDS creates the password, stores it in Secrets Manager and changes it every seven days. It is in no variable, plan
  # or state. The secret contains only user name and password; host, port and database name are settings.
  username                      = "items"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn

  allocated_storage     = var.storage.initial
  max_allocated_storage = var.storage.limit
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  multi_az               = var.multi_az
  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false
  parameter_group_name   = aws_db_parameter_group.main.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  # UTC.
  backup_retention_period    = var.backup_days
  backup_window              = var.windows.backup
  maintenance_window         = var.windows.maintenance
  auto_minor_version_upgrade = true
  # Without it RDS refuses another major version. Unset instead of false, which would change an imported database.
  allow_major_version_upgrade = var.major_upgrade ? true : null

  apply_immediately         = var.apply_immediately
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = false
  final_snapshot_identifier = "${local.id}-final-${terraform_data.created.output}"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = false

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.kms_key_arn
  performance_insights_retention_period = 7
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports       = local.logs

  depends_on = [aws_cloudwatch_log_group.main, aws_iam_role_policy_attachment.monitoring]
}
