use super::*;

fn wanted(queues: u16, cpus: usize) -> Wanted {
    Wanted {
        ports: vec![PlannedPort { port: PortId(0), rx_queues: queues, has_dma: false }],
        cpus: (0..cpus).collect(),
        shape: None,
        lcores: None,
        processings: None,
        outputs: None,
    }
}

/// Every stage is there once, whatever the number of lcores.
#[test]
fn any_number_of_lcores_runs_the_same_stages() {
    for lcores in 1..=16 {
        for (queues, processings, outputs) in [(1, 1, 1), (1, 4, 2), (4, 8, 3)] {
            let plan = Plan::new(&Wanted {
                shape: Some(Shape::Pipeline),
                lcores: Some(lcores),
                processings: Some(processings),
                outputs: Some(outputs),
                ..wanted(queues, 4)
            })
            .unwrap();
            let mut inputs = 0;
            let mut seen = Vec::new();
            for stage in plan.stages() {
                match *stage {
                    PlannedStage::Input { .. } => inputs += 1,
                    PlannedStage::Processing { processing, .. } => seen.push(processing),
                    PlannedStage::Fused { processing, .. } => {
                        inputs += 1;
                        seen.push(processing);
                    }
                    PlannedStage::Output { .. } => {}
                }
            }
            assert_eq!(inputs, queues);
            assert_eq!(seen, (0..processings).collect::<Vec<_>>());
            assert!(plan.lcores.len() <= lcores);
        }
    }
}

#[test]
fn two_cpus_keep_the_writer_off_the_lcore_that_polls() {
    let plan = Plan::new(&wanted(1, 2)).unwrap();
    assert_eq!(plan.shape, Shape::Fused);
    assert_eq!(plan.lcores.len(), 2);
    assert_eq!((plan.lcores[0].cpu, plan.lcores[0].shares_cpu), (1, false));
    assert_eq!((plan.lcores[1].cpu, plan.lcores[1].shares_cpu), (0, true));
    assert!(plan.lcores[0].is_eal());
    assert!(!plan.lcores[1].is_eal());
}

#[test]
fn one_cpu_is_shared_by_all() {
    let plan = Plan::new(&wanted(1, 1)).unwrap();
    assert!(plan.lcores.iter().all(|lcore| lcore.shares_cpu && lcore.cpu == 0));
}

#[test]
fn input_and_processing_on_one_lcore_need_no_ring() {
    let plan = Plan::new(&Wanted { shape: Some(Shape::Pipeline), lcores: Some(1), ..wanted(1, 2) })
        .unwrap();
    assert_eq!(plan.rings().count(), 0);
    let apart =
        Plan::new(&Wanted { shape: Some(Shape::Pipeline), lcores: Some(3), ..wanted(1, 2) })
            .unwrap();
    assert_eq!(apart.rings().count(), 1);
}

#[test]
fn a_nic_with_one_queue_and_many_cpus_becomes_a_pipeline() {
    let mut nic = wanted(1, 16);
    nic.ports[0].has_dma = true;
    let plan = Plan::new(&nic).unwrap();
    assert_eq!((plan.shape, plan.reason), (Shape::Pipeline, ShapeReason::FewQueues));
    assert_eq!(plan.processings, 13);
    nic.ports[0].rx_queues = 8;
    let plan = Plan::new(&nic).unwrap();
    assert_eq!((plan.shape, plan.reason), (Shape::Fused, ShapeReason::EnoughQueues));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let zero = Plan::new(&Wanted { lcores: Some(0), ..wanted(1, 2) });
    assert_eq!(zero, Err(PlanError::Zero { key: "lcores" }));
    let no_port = Plan::new(&Wanted { ports: Vec::new(), ..wanted(1, 2) });
    assert_eq!(no_port, Err(PlanError::NoPort));
    let fused =
        Plan::new(&Wanted { shape: Some(Shape::Fused), processings: Some(3), ..wanted(1, 2) });
    assert_eq!(fused, Err(PlanError::FusedProcessings { processings: 3, queues: 1 }));
    let idle = Plan::new(&Wanted { outputs: Some(2), ..wanted(1, 2) });
    assert_eq!(idle, Err(PlanError::IdleOutputs { outputs: 2, processings: 1 }));
    let many = Plan::new(&Wanted { processings: Some(256), ..wanted(1, 2) });
    assert_eq!(many, Err(PlanError::TooManyProcessings { processings: 256, max: 255 }));
}
