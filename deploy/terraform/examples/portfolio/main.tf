provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = "items", Environment = var.environment, ManagedBy = "terraform" }
  }
}

# Pages and an API on Fargate, with a database and a cache, behind a domain with www and IPv6.
module "environment" {
  source = "../../modules/environment"

  environment = var.environment
  platform    = "ecs"
  image       = var.image
  github      = var.github

  network              = var.network
  ipv6                 = var.ipv6
  www                  = var.domain != null
  port                 = var.ports.backend
  health               = var.health
  deregistration_delay = var.deregistration_delay
  database             = merge(var.database, local.sizes.database)
  cache                = merge(var.cache, local.sizes.cache)
  tasks                = var.tasks

  frontend = {
    image     = var.frontend_image
    port      = var.ports.frontend
    health    = merge(var.health, { path = "/" })
    cpu       = var.tasks.cpu
    memory    = var.tasks.memory
    desired   = var.tasks.desired
    min       = var.tasks.min
    max       = var.tasks.max
    log_group = "/ecs/portfolio-${var.environment}/frontend"
  }

  protected = var.environment == "prod"
  log_group = "/ecs/portfolio-${var.environment}/backend"
  log_days  = var.log_days
  budget    = var.budget

  emails          = var.emails
  certificate_arn = var.certificate_arn
  domain          = var.domain
  zone_id         = var.zone_id
}

locals {
  sizes = var.environments[var.environment]
}
