data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name = "items-${var.environment}"
  iam  = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}"
}

data "aws_ecr_repository" "service" {
  name = var.repository
}

module "network" {
  source = "../network"

  name        = local.name
  environment = var.environment
  zones       = var.network.zones
  nat         = var.network.nat
  kms_key_arn = module.security.kms_key_arn
}

module "security" {
  source = "../security"

  name           = local.name
  environment    = var.environment
  vpc_id         = module.network.vpc_id
  secret_arn     = module.database.secret_arn
  repository_arn = data.aws_ecr_repository.service.arn
  log_group_arn  = module.monitoring.log_group_arn
}

module "database" {
  source = "../database"

  name                = local.name
  subnet_ids          = module.network.database_subnet_ids
  security_group_id   = module.security.database_group_id
  kms_key_arn         = module.security.kms_key_arn
  instance_class      = var.database.class
  multi_az            = var.database.multi_az
  backup_days         = var.database.backup_days
  deletion_protection = var.protected
  apply_immediately   = var.apply_immediately
  log_days            = var.log_days
}

module "compute" {
  source = "../compute-ec2"

  name                 = local.name
  environment          = var.environment
  vpc_id               = module.network.vpc_id
  public_subnet_ids    = module.network.public_subnet_ids
  private_subnet_ids   = module.network.private_subnet_ids
  balancer_group_id    = module.security.balancer_group_id
  service_group_id     = module.security.service_group_id
  instance_profile_arn = module.security.instance_profile_arn
  kms_key_arn          = module.security.kms_key_arn
  certificate_arn      = var.certificate_arn
  domain               = var.domain
  zone_id              = var.zone_id
  access_log_bucket    = var.access_log_bucket
  deletion_protection  = var.protected
  ami_id               = var.ami_id
  instance_type        = var.instances.type
  size                 = { min = var.instances.min, desired = var.instances.desired, max = var.instances.max }
  pool_max             = var.instances.pool_max
  service_connections  = module.database.service_connections
  image                = var.image
  secret_id            = module.database.secret_arn
  database             = { host = module.database.host, port = module.database.port, name = module.database.database }
  agent_parameter      = module.monitoring.agent_parameter
  base_path            = var.base_path
  rate_limit           = var.rate_limit
  settings             = var.settings
}

module "monitoring" {
  source = "../monitoring"

  name                    = local.name
  environment             = var.environment
  kms_key_arn             = module.security.kms_key_arn
  log_days                = var.log_days
  emails                  = var.emails
  phones                  = var.phones
  budget                  = var.budget
  balancer_arn_suffix     = module.compute.balancer_arn_suffix
  target_group_arn_suffix = module.compute.target_group_arn_suffix
  group_name              = module.compute.group_name
  database_id             = module.database.id
}

module "delivery" {
  source = "../delivery"
  count  = var.github == null ? 0 : 1

  name         = "${local.name}-deploy"
  provider_arn = "${local.iam}:oidc-provider/token.actions.githubusercontent.com"
  github       = var.github
  runs         = ["environment:${var.environment}"]

  refresh = {
    group_name          = module.compute.group_name
    launch_template_arn = module.compute.launch_template_arn
    image_parameter_arn = module.compute.image_parameter_arn
    instance_role_arn   = module.security.instance_role_arn
    repository_arn      = data.aws_ecr_repository.service.arn
  }
}
