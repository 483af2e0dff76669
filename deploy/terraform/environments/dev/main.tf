provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = "items", Environment = "dev", ManagedBy = "terraform" }
  }
}

# Small, cheap and disposable: one zone's NAT gateway, no standby, a day of backups.
module "environment" {
  source = "../../modules/environment"

  environment = "dev"
  image       = var.image
  repository  = var.repository
  github      = var.github

  network   = { zones = 2, nat = "one" }
  instances = { type = "t3.micro", min = 1, desired = 1, max = 2, pool_max = 10 }
  database  = { class = "db.t3.micro", multi_az = false, backup_days = 1 }

  protected = false
  log_days  = 7
  budget    = 120

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
    tags = { Project = "items", Environment = "dev", ManagedBy = "terraform" }
  }
}

module "backups" {
  source = "../../modules/backups"
  count  = var.replica_region == null ? 0 : 1

  name         = "items-dev"
  database_arn = module.environment.database.arn

  providers = { aws = aws.replica }
}
