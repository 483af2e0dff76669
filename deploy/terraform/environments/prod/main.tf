provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = "items", Environment = "prod", ManagedBy = "terraform" }
  }
}

# Survives the loss of a zone: instances, NAT gateways and the database's standby are in different zones.
module "environment" {
  source = "../../modules/environment"

  environment = "prod"
  image       = var.image
  repository  = var.repository
  github      = var.github

  network   = { zones = 3, nat = "per_zone" }
  instances = { type = "t3.small", min = 2, desired = 2, max = 10, pool_max = 10 }
  database  = { class = "db.t3.medium", multi_az = true, backup_days = 30 }

  protected = true
  log_days  = 90
  budget    = 400

  emails          = var.emails
  phones          = var.phones
  certificate_arn = var.certificate_arn
  domain          = var.domain
  zone_id         = var.zone_id
  base_path       = var.base_path
  rate_limit      = var.rate_limit
  settings        = var.settings

  ami_id            = var.ami_id
  access_log_bucket = var.access_log_bucket
  apply_immediately = var.apply_immediately
}

provider "aws" {
  alias  = "replica"
  region = coalesce(var.replica_region, var.region)

  default_tags {
    tags = { Project = "items", Environment = "prod", ManagedBy = "terraform" }
  }
}

module "backups" {
  source = "../../modules/backups"
  count  = var.replica_region == null ? 0 : 1

  name         = "items-prod"
  database_arn = module.environment.database.arn

  providers = { aws = aws.replica }
}
