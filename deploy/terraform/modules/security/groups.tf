# Inside the network rules name groups, never addresses: an address that is reassigned grants no access.

resource "aws_security_group" "balancer" {
  #checkov:skip=CKV2_AWS_5:attached in the module compute-ec2
  name        = "${var.name}-balancer"
  description = "The load balancer: HTTP and HTTPS from the internet"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-balancer" }
}

resource "aws_security_group" "service" {
  #checkov:skip=CKV2_AWS_5:attached in the module compute-ec2
  name        = "${var.name}-service"
  description = "The instances: the load balancer comes in, the database and HTTPS go out"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-service" }
}

resource "aws_security_group" "database" {
  #checkov:skip=CKV2_AWS_5:attached in the module database
  name        = "${var.name}-database"
  description = "The database: the instances come in, nothing goes out"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-database" }
}

resource "aws_security_group" "cache" {
  #checkov:skip=CKV2_AWS_5:attached in the module cache
  count = var.cache_port == null ? 0 : 1

  name        = "${var.name}-cache"
  description = "The cache: the service comes in, nothing goes out"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-cache" }
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  #checkov:skip=CKV_AWS_260:port 80 answers with a redirect when there is a certificate
  security_group_id = aws_security_group.balancer.id
  description       = "HTTP from anywhere"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  security_group_id = aws_security_group.balancer.id
  description       = "HTTPS from anywhere"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "balancer_to_service" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "Requests and health checks"
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
  referenced_security_group_id = aws_security_group.service.id
}

resource "aws_vpc_security_group_ingress_rule" "service_from_balancer" {
  security_group_id            = aws_security_group.service.id
  description                  = "Requests and health checks"
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
  referenced_security_group_id = aws_security_group.balancer.id
}

resource "aws_vpc_security_group_egress_rule" "service_to_database" {
  security_group_id            = aws_security_group.service.id
  description                  = "The pool's connections"
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
  referenced_security_group_id = aws_security_group.database.id
}

# AWS's endpoints and the system's packages. DNS, NTP and instance metadata bypass security groups.
resource "aws_vpc_security_group_egress_rule" "service_to_https" {
  security_group_id = aws_security_group.service.id
  description       = "AWS endpoints and packages"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "database_from_service" {
  security_group_id            = aws_security_group.database.id
  description                  = "The pool's connections"
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
  referenced_security_group_id = aws_security_group.service.id
}

resource "aws_vpc_security_group_ingress_rule" "ipv6" {
  #checkov:skip=CKV_AWS_260:port 80 answers with a redirect when there is a certificate
  for_each = var.ipv6 ? { http = 80, https = 443 } : {}

  security_group_id = aws_security_group.balancer.id
  description       = "${upper(each.key)} from anywhere, by IPv6"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_ipv6         = "::/0"
}

# Frontend and service share a group: both are reached by the load balancer alone.
resource "aws_vpc_security_group_egress_rule" "balancer_to_frontend" {
  count = var.frontend_port == null ? 0 : 1

  security_group_id            = aws_security_group.balancer.id
  description                  = "Pages and health checks"
  ip_protocol                  = "tcp"
  from_port                    = var.frontend_port
  to_port                      = var.frontend_port
  referenced_security_group_id = aws_security_group.service.id
}

resource "aws_vpc_security_group_ingress_rule" "frontend_from_balancer" {
  count = var.frontend_port == null ? 0 : 1

  security_group_id            = aws_security_group.service.id
  description                  = "Pages and health checks"
  ip_protocol                  = "tcp"
  from_port                    = var.frontend_port
  to_port                      = var.frontend_port
  referenced_security_group_id = aws_security_group.balancer.id
}

resource "aws_vpc_security_group_egress_rule" "service_to_cache" {
  count = var.cache_port == null ? 0 : 1

  security_group_id            = aws_security_group.service.id
  description                  = "The cache"
  ip_protocol                  = "tcp"
  from_port                    = var.cache_port
  to_port                      = var.cache_port
  referenced_security_group_id = aws_security_group.cache[0].id
}

resource "aws_vpc_security_group_ingress_rule" "cache_from_service" {
  count = var.cache_port == null ? 0 : 1

  security_group_id            = aws_security_group.cache[0].id
  description                  = "The cache"
  ip_protocol                  = "tcp"
  from_port                    = var.cache_port
  to_port                      = var.cache_port
  referenced_security_group_id = aws_security_group.service.id
}
