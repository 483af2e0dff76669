output "id" {
  description = "The database's identifier."
  value       = aws_db_instance.main.identifier
}

output "arn" {
  description = "The database, for a copy of its backups in another region."
  value       = aws_db_instance.main.arn
}

output "host" {
  description = "Host name of the database. It stays the same when the standby takes over."
  value       = aws_db_instance.main.address
}

output "port" {
  description = "Port on which the server listens."
  value       = var.port
}

output "database" {
  description = "The database's name."
  value       = aws_db_instance.main.db_name
}

output "secret_arn" {
  description = "The secret that RDS manages: user name and password."
  value       = one(aws_db_instance.main.master_user_secret[*].secret_arn)
}

output "final_snapshot" {
  description = "Name of the snapshot that RDS takes when the database is destroyed."
  value       = aws_db_instance.main.final_snapshot_identifier
}

output "max_connections" {
  description = "Maximum number of sessions of the server."
  value       = local.max_connections
}

output "service_connections" {
  description = "How many of the sessions all pools together may open."
  value       = local.max_connections - local.reserved_connections
}

# Read from the resource, so that an example's tests hold what an apply would create.
output "numbers" {
  description = "Version, class, storage, backups and windows of the database."
  value = {
    version     = aws_db_instance.main.engine_version
    family      = aws_db_parameter_group.main.family
    class       = aws_db_instance.main.instance_class
    storage     = [aws_db_instance.main.allocated_storage, aws_db_instance.main.max_allocated_storage]
    multi_az    = aws_db_instance.main.multi_az
    backup_days = aws_db_instance.main.backup_retention_period
    windows     = [aws_db_instance.main.backup_window, aws_db_instance.main.maintenance_window]
    monitoring  = aws_db_instance.main.monitoring_interval
  }
}
