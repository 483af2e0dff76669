# Where resources were before load balancer, instances and image had their places of today. A state of that time is moved by
# the next plan, and nothing is replaced.
moved {
  from = module.compute.aws_lb.main
  to   = module.balancer.aws_lb.main
}

moved {
  from = module.compute.aws_lb_target_group.service
  to   = module.balancer.aws_lb_target_group.service
}

moved {
  from = module.compute.aws_lb_listener.http
  to   = module.balancer.aws_lb_listener.http
}

moved {
  from = module.compute.aws_lb_listener.https
  to   = module.balancer.aws_lb_listener.https
}

moved {
  from = module.compute.aws_lb_listener_rule.hidden
  to   = module.balancer.aws_lb_listener_rule.hidden
}

moved {
  from = module.compute.aws_route53_record.main[0]
  to   = module.balancer.aws_route53_record.main["A"]
}

moved {
  from = module.compute.aws_wafv2_web_acl.main
  to   = module.balancer.aws_wafv2_web_acl.main
}

moved {
  from = module.compute.aws_wafv2_web_acl_association.main
  to   = module.balancer.aws_wafv2_web_acl_association.main
}

moved {
  from = module.compute.aws_ssm_parameter.image
  to   = aws_ssm_parameter.image
}

moved {
  from = module.compute.aws_launch_template.service
  to   = module.compute[0].aws_launch_template.service
}

moved {
  from = module.compute.aws_autoscaling_group.service
  to   = module.compute[0].aws_autoscaling_group.service
}

moved {
  from = module.compute.aws_autoscaling_lifecycle_hook.launch
  to   = module.compute[0].aws_autoscaling_lifecycle_hook.launch
}

moved {
  from = module.compute.aws_autoscaling_policy.cpu
  to   = module.compute[0].aws_autoscaling_policy.cpu
}

moved {
  from = module.compute.aws_cloudwatch_metric_alarm.cpu
  to   = module.compute[0].aws_cloudwatch_metric_alarm.cpu
}

moved {
  from = module.security.aws_iam_role.instance
  to   = module.compute[0].aws_iam_role.instance
}

moved {
  from = module.security.aws_iam_role_policy.instance
  to   = module.compute[0].aws_iam_role_policy.instance
}

moved {
  from = module.security.aws_iam_instance_profile.instance
  to   = module.compute[0].aws_iam_instance_profile.instance
}
