data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name = "items-${var.environment}"
  iam  = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}"
  ec2  = var.platform == "ec2"
  # Only on ECS.
  frontend = local.ec2 ? null : var.frontend
  # Names of the log groups outside /items/<environment>.
  log_groups   = compact([var.log_group, try(local.frontend.log_group, null)])
  stop_timeout = local.ec2 ? 60 : var.tasks.stop_timeout
}

data "aws_ecr_repository" "service" {
  name = var.repository
}

data "aws_ecr_repository" "frontend" {
  count = local.frontend == null ? 0 : 1

  name = local.frontend.repository
}

module "network" {
  source = "../network"

  name        = local.name
  environment = var.environment
  zones       = var.network.zones
  nat         = var.network.nat
  ipv6        = var.ipv6
  cache_port  = var.cache == null ? null : var.cache.port
  kms_key_arn = module.security.kms_key_arn
}

module "security" {
  source = "../security"

  name          = local.name
  environment   = var.environment
  vpc_id        = module.network.vpc_id
  port          = var.port
  frontend_port = local.frontend == null ? null : local.frontend.port
  cache_port    = var.cache == null ? null : var.cache.port
  ipv6          = var.ipv6
  log_groups    = local.log_groups
}

module "database" {
  source = "../database"

  name                = local.name
  subnet_ids          = module.network.database_subnet_ids
  security_group_id   = module.security.database_group_id
  kms_key_arn         = module.security.kms_key_arn
  engine_version      = var.database.version
  major_upgrade       = var.database.major_upgrade
  instance_class      = var.database.class
  storage             = var.database.storage
  windows             = var.database.windows
  multi_az            = var.database.multi_az
  backup_days         = var.database.backup_days
  deletion_protection = var.protected
  apply_immediately   = var.apply_immediately
  log_days            = var.log_days
}

module "balancer" {
  source = "../balancer"

  name                 = local.name
  vpc_id               = module.network.vpc_id
  public_subnet_ids    = module.network.public_subnet_ids
  security_group_id    = module.security.balancer_group_id
  target_type          = local.ec2 ? "instance" : "ip"
  port                 = var.port
  health               = var.health
  deregistration_delay = var.deregistration_delay
  stop_timeout         = local.stop_timeout
  certificate_arn      = var.certificate_arn
  domain               = var.domain
  zone_id              = var.zone_id
  www                  = var.www
  ipv6                 = var.ipv6
  base_path            = var.base_path
  frontend             = local.frontend == null ? null : { port = local.frontend.port, health = local.frontend.health }
  access_log_bucket    = var.access_log_bucket
  deletion_protection  = var.protected
  rate_limit           = var.rate_limit
}

module "compute" {
  source = "../compute-ec2"
  count  = local.ec2 ? 1 : 0

  name                = local.name
  environment         = var.environment
  private_subnet_ids  = module.network.private_subnet_ids
  service_group_id    = module.security.service_group_id
  target_group_arn    = module.balancer.target_group_arn
  kms_key_arn         = module.security.kms_key_arn
  repository_arn      = data.aws_ecr_repository.service.arn
  log_group_arn       = module.monitoring.log_group_arn
  ami_id              = var.ami_id
  instance_type       = var.instances.type
  size                = { min = var.instances.min, desired = var.instances.desired, max = var.instances.max }
  pool_max            = var.instances.pool_max
  service_connections = module.database.service_connections
  image               = aws_ssm_parameter.image.insecure_value
  port                = var.port
  secret_id           = module.database.secret_arn
  database            = { host = module.database.host, port = module.database.port, name = module.database.database }
  agent_parameter     = module.monitoring.agent_parameter
  base_path           = var.base_path
  settings            = var.settings
}

module "tasks" {
  source = "../compute-ecs"
  count  = local.ec2 ? 0 : 1

  name                = local.name
  environment         = var.environment
  private_subnet_ids  = module.network.private_subnet_ids
  service_group_id    = module.security.service_group_id
  target_group_arn    = module.balancer.target_group_arn
  balancer_arn_suffix = module.balancer.arn_suffix
  kms_key_arn         = module.security.kms_key_arn
  repository_arn      = data.aws_ecr_repository.service.arn
  image               = aws_ssm_parameter.image.insecure_value
  port                = var.port
  base_path           = var.base_path
  task                = { cpu = var.tasks.cpu, memory = var.tasks.memory }
  size                = { min = var.tasks.min, desired = var.tasks.desired, max = var.tasks.max }
  capacity            = var.tasks.capacity
  container_insights  = var.tasks.insights
  drain               = var.tasks.drain
  stop_timeout        = local.stop_timeout
  scaling             = var.tasks.scaling
  schedule            = var.tasks.schedule
  alarms              = var.tasks.alarms
  pool_max            = var.tasks.pool_max
  service_connections = module.database.service_connections
  secret_id           = module.database.secret_arn
  database            = { host = module.database.host, port = module.database.port, name = module.database.database }
  settings            = var.settings
  log                 = { group = module.monitoring.log_group }
  topic_arns          = module.monitoring.topic_arns

  frontend = local.frontend == null ? null : merge(local.frontend, {
    repository_arn = data.aws_ecr_repository.frontend[0].arn
    size           = { min = local.frontend.min, desired = local.frontend.desired, max = local.frontend.max }
  })
  frontend_target_group_arn = module.balancer.frontend_target_group_arn
}

module "cache" {
  source = "../cache"
  count  = var.cache == null ? 0 : 1

  name              = local.name
  environment       = var.environment
  subnet_ids        = module.network.database_subnet_ids
  security_group_id = module.security.cache_group_id
  kms_key_arn       = module.security.kms_key_arn
  topic_arn         = module.monitoring.topic_arns.warning
  port              = var.cache.port
  engine_version    = var.cache.version
  node_type         = var.cache.node_type
  nodes             = var.cache.nodes
  snapshot_days     = var.cache.snapshot_days
  windows           = var.cache.windows
  alarms            = { cpu = var.cache.cpu_alarm }
  apply_immediately = var.apply_immediately
  log_days          = var.log_days
}

module "monitoring" {
  source = "../monitoring"

  name                    = local.name
  environment             = var.environment
  kms_key_arn             = module.security.kms_key_arn
  log_group               = var.log_group
  further_log_groups      = compact([try(local.frontend.log_group, null)])
  log_days                = var.log_days
  emails                  = var.emails
  phones                  = var.phones
  budget                  = var.budget
  balancer_arn_suffix     = module.balancer.arn_suffix
  target_group_arn_suffix = module.balancer.target_group_arn_suffix
  platform                = var.platform
  group_name              = one(module.compute[*].group_name)
  cluster_name            = one(module.tasks[*].cluster_name)
  service_name            = one(module.tasks[*].service_name)
  database_id             = module.database.id
}

module "delivery" {
  source = "../delivery"
  count  = var.github == null ? 0 : 1

  name         = "${local.name}-deploy"
  provider_arn = "${local.iam}:oidc-provider/token.actions.githubusercontent.com"
  github       = var.github
  runs         = ["environment:${var.environment}"]

  refresh = !local.ec2 ? null : {
    group_name          = module.compute[0].group_name
    launch_template_arn = module.compute[0].launch_template_arn
    image_parameter_arn = aws_ssm_parameter.image.arn
    instance_role_arn   = module.compute[0].role_arn
    repository_arn      = data.aws_ecr_repository.service.arn
  }

  service = local.ec2 ? null : {
    arn                 = module.tasks[0].service_arn
    cluster_name        = module.tasks[0].cluster_name
    role_arns           = values(module.tasks[0].role_arns)
    image_parameter_arn = aws_ssm_parameter.image.arn
    repository_arn      = data.aws_ecr_repository.service.arn
  }
}
