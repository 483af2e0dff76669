provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = "items", Environment = var.environment, ManagedBy = "terraform" }
  }
}

# Pages and an API on Fargate, in three environments of different sizes. Each environment has its own state: give init
# -backend-config=key=items/platform-<environment>.tfstate.
module "environment" {
  source = "../../modules/environment"

  environment = var.environment
  platform    = "ecs"
  image       = var.image
  github      = var.github

  network              = local.sizes.network
  port                 = var.ports.backend
  health               = var.health
  deregistration_delay = var.deregistration_delay
  database             = merge(var.database, local.sizes.database)

  tasks = {
    cpu      = local.sizes.cpu
    memory   = local.sizes.memory
    desired  = local.sizes.tasks
    min      = local.sizes.tasks
    max      = local.sizes.max
    pool_max = local.sizes.pool_max
    capacity = local.sizes.capacity
    scaling  = var.scaling
    alarms   = var.alarms
    schedule = local.sizes.schedule
  }

  frontend = {
    image   = var.frontend_image
    port    = var.ports.frontend
    health  = var.health
    cpu     = local.sizes.cpu
    memory  = local.sizes.memory
    desired = local.sizes.tasks
    min     = local.sizes.tasks
    max     = local.sizes.max
  }

  protected = var.environment == "prod"
  log_group = "/ecs/${var.project}-${var.environment}"
  log_days  = local.sizes.log_days
  budget    = local.sizes.budget

  emails          = var.emails
  certificate_arn = var.certificate_arn
  domain          = var.domain
  zone_id         = var.zone_id
}

locals {
  sizes = var.environments[var.environment]
}
