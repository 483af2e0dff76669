provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = "items", Environment = "prod", ManagedBy = "terraform" }
  }
}

# One API on Fargate with a database: two to six tasks in two zones.
module "environment" {
  source = "../../modules/environment"

  environment = "prod"
  platform    = "ecs"
  image       = var.image
  github      = var.github

  network              = var.network
  port                 = var.port
  health               = var.health
  deregistration_delay = var.deregistration_delay
  tasks                = var.tasks
  database             = var.database

  protected = true
  log_group = var.log_group
  log_days  = var.log_days
  budget    = var.budget

  emails          = var.emails
  certificate_arn = var.certificate_arn
  domain          = var.domain
  zone_id         = var.zone_id
}
